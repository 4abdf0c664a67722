"""`python -m mishstudy`."""

from mishstudy import main

main()
