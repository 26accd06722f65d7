"""The three channels, played over real HTTP for the demo, the tests and `wharf sandbox serve`."""
