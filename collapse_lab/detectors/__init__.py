"""Online detectors: records in, alarms out."""
