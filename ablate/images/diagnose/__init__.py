"""Why a trained network errs: what it confuses, how sure it is, where in a picture it looks."""
