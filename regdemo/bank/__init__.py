"""What an author does with decks: check them, run the programs in them, carry them to other tools and back."""
