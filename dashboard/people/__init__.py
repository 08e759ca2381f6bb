"""The pages of people: who may do what and where, and where a person is signed in."""
