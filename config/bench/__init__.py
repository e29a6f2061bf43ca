"""How fast the site serves predictions: `manage.py bench_serving`, a part of `make bench`.

ground   a site of its own with a trained model, and what its right answers are
site     the site as it is, and beside it a view that does nothing
peer     the same model behind FastAPI and ONNX Runtime, where they are installed
load     a client that costs little
contest  who takes turns with whom, and the figures
"""
