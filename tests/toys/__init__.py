"""What people add from outside, each in a file of its own as in `src`: nothing in acclimate knows the name of any of these."""
