"""What is asked: the spec, the design drawn from it, and the loop that gets it trained."""
