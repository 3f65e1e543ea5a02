"""The evidence: refusals, the audit, the past, and what ends by itself."""
