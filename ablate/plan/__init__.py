"""From study files and command lines to the runs that have to be trained; knows neither torch nor statistics."""
