"""Studies: arms side by side on one data set, from the plan to the finished runs."""
