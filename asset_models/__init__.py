"""One YAML file a kind of machine; users put their own beside them in `$FOREWARN_HOME/asset_models`."""
