"""What tests have in common."""

import matplotlib

matplotlib.use("Agg")
