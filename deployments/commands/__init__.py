"""The subcommands of `wharf`, grouped by what they need: files alone, the data services, the whole stack."""
