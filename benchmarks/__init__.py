"""What the fabric's speed and size are, each beside a floor that is measured in the same run."""
