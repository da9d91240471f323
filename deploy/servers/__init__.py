"""Real servers for tests, benchmarks and fault drills: installed by shell scripts, started by `launch`."""
