"""How networks are trained and tested: as papers and public code say, and as it is run here."""
