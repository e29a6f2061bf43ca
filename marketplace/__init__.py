"""The catalogue: lists, sells, deploys and serves the models that training made.

A template is what a person offers; a version binds it to one model and to the validation that
measured it, and never changes. Buying moves credits and gives the right to deploy; a deployment
answers predictions and meters each call.
"""
