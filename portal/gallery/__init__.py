"""What the workspace's runs have made: found again, looked at large, downloaded."""
