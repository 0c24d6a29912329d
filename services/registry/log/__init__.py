"""What happened in the registry: every act with its before and after, chained."""
