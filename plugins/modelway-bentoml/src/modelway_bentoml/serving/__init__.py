"""The service inside a bundle. Everything here travels with the model and needs numpy, starlette and bentoml only."""
