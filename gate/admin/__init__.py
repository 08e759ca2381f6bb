"""Admin pages of the app. `people` is what the page of users, which `butler_site` has, adds."""
