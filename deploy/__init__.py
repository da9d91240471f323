"""What runs Forewarn elsewhere than in a checkout, and what runs real servers beside its tests."""
