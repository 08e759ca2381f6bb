"""Tools that know nothing of Butler's domain and have no models. Any app may import any module."""
