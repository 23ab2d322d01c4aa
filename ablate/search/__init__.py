"""The best combination for a budget: Optuna proposes settings, the executor trains them, races save the budget.

Every training is an ordinary run of the store. The search reads validation metrics only; what it finds is proven
afterwards on fresh seeds (:mod:`ablate.search.proof`).
"""
