"""Metronome's published Python client against billing-sim."""
