"""What compiled programs take of chips, which need not be here."""
