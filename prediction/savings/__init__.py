"""What could have been saved: rules on tries of work, without rows.

`intervals`: shares of success. `costs`: the cost per success. `cheaper`: whether another API key or
model did the same kind of work as well for less.
"""
