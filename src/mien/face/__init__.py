"""A picture becomes faces and seven crops."""
