"""What is measured: prediction quality and attention overlap. Pure array functions, one spec per number, no torch."""
