"""Settings of Butler, all in one file; what a deployment decides comes from the environment.

`.env.example` lists every variable. A wrong value stops the start with a sentence that says what
to write (`common.env`); what can be wrong together is a system check (`butler.E…`).
"""

from pathlib import Path


from common import embedded_postgres, env

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env.text("BUTLER_VAR_DIR", str(BASE_DIR / "var"))).resolve()
VERSION = "0.1.0"

# --- What a deployment must decide ---------------------------------------------------------------

PRODUCTION = env.flag("BUTLER_PRODUCTION", False)
SECRET_KEY = env.text("BUTLER_SECRET_KEY", "" if PRODUCTION else "development-only-" + "x" * 50)
if not SECRET_KEY:
    raise env.WrongSetting(
        "BUTLER_SECRET_KEY is not set: write 50 or more random characters, for example the output "
        "of `python -c 'import secrets; print(secrets.token_urlsafe(50))'`."
    )
DEBUG = env.flag("BUTLER_DEBUG", False)
PUBLIC_URL = env.text("BUTLER_PUBLIC_URL", f"http://127.0.0.1:{env.text('PORT', '8000')}")
ALLOWED_HOSTS = env.words("BUTLER_ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]"))
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        **(
            env.postgres_url("DATABASE_URL")
            or embedded_postgres.start(VAR_DIR / "postgres")
        ),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }
}
# `id:base64` pairs of 32-byte sealing keys, the first seals; empty: the file below, made 0600.
VAULT_KEYS = env.words("BUTLER_VAULT_KEYS")
VAULT_KEY_FILE = VAR_DIR / "vault.keys"

# --- Butler's knobs ------------------------------------------------------------------------------

# A key is a candidate for an allocation when more than this many tokens are free on it.
CANDIDATE_FREE_TOKENS_MIN = env.integer("BUTLER_CANDIDATE_FREE_TOKENS_MIN", 10_000, least=0, most=10**12)
ROTATION_THRESHOLD_PERCENT = env.integer("BUTLER_ROTATION_THRESHOLD_PERCENT", 75, least=1, most=100)
ALLOCATION_TTL_SECONDS = env.integer("BUTLER_ALLOCATION_TTL_SECONDS", 3600, least=1, most=31_536_000)
ALLOCATION_TTL_SECONDS_MAX = env.integer(
    "BUTLER_ALLOCATION_TTL_SECONDS_MAX", 30 * 86_400, least=1, most=31_536_000
)
HOLD_SECONDS = env.integer("BUTLER_HOLD_SECONDS", 600, least=1, most=86_400)
ESTIMATE_BYTES_MAX = 1_000_000
API_REQUESTS_PER_MINUTE = env.integer("BUTLER_API_REQUESTS_PER_MINUTE", 6_000, least=1, most=10**9)

# --- Django --------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_q",
    "pgtrigger",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "common",
    "security",
    "alerts",
    "keys",
    "prediction",
    "dashboard",
    "api",
    "butler_site",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "butler_site.urls"
WSGI_APPLICATION = "butler_site.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
USE_I18N = False
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "/"
X_FRAME_OPTIONS = "DENY"

# --- API and workers -----------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
Q_CLUSTER = {
    "name": "butler",
    "orm": "default",
    "workers": env.integer("BUTLER_QUEUE_WORKERS", 2, least=1, most=64),
    "timeout": 60,
    "retry": 120,
    "max_attempts": 5,
    "poll": 0.5,
    "catch_up": False,
    "label": "Queue",
}
