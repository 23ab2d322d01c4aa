"""Tasks that are a Hydra application of somebody's own, unmodified: composed by Hydra as it is, run with overrides.

Its configuration is composed in a process of its own, the composing process: only there are its modules imported (they
register structured configurations and resolvers), so that they can neither break the planner nor be broken by it.
"""
