"""Settings of Butler, all in one file; what a deployment decides comes from the environment.

`.env.example` lists every variable. A wrong value stops the start with a sentence that says what
to write (`common.env`); values that contradict each other are found by system checks (`butler.E…`).
Importing the settings starts nothing; it writes no file except a secret key outside production.
"""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from common import embedded_postgres, env

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"
# The command that this process runs. PostgreSQL shows it in pg_stat_activity, where /readyz looks.
PROCESS = " ".join(["butler", *sys.argv[1:2]]) if sys.argv[0].endswith("manage.py") else "butler"

# --- What a deployment must decide ---------------------------------------------------------------

env.read_file(BASE_DIR / ".env")
VAR_DIR = env.folder("BUTLER_VAR_DIR", BASE_DIR / "var")
if PROCESS != "butler up":
    # The addresses of an `up` that runs: links of commands beside it lead there.
    env.read_file(VAR_DIR / "up.env")
PRODUCTION = env.flag("BUTLER_PRODUCTION", False)
BIND = env.text("BUTLER_BIND", "127.0.0.1")
PORT = env.integer("PORT", 8000, least=1, most=65_535)
PUBLIC_URL = env.web_address_with_path(
    "BUTLER_PUBLIC_URL",
    "" if PRODUCTION else f"http://127.0.0.1:{PORT}",
    schemes=("https",) if PRODUCTION else ("https", "http"),
)
# The path of that address: a proxy serves Butler below it. None: at the root of its host.
FORCE_SCRIPT_NAME = urlsplit(PUBLIC_URL).path or None
ALLOWED_HOSTS = env.words(
    "BUTLER_ALLOWED_HOSTS",
    ("localhost", "127.0.0.1", "[::1]", env.host_of(PUBLIC_URL) or "localhost"),
)
SECRET_KEY = env.secret(
    "BUTLER_SECRET_KEY", file=None if PRODUCTION else VAR_DIR / "secret.key", least=50
)
DEBUG = env.flag("BUTLER_DEBUG", False)
if DEBUG and PRODUCTION:
    raise env.WrongSetting("BUTLER_DEBUG is yes in production: remove it, it shows secrets.")
# Trust X-Forwarded-Proto and X-Forwarded-For: only if a proxy in front always sets both.
BEHIND_PROXY = env.flag("BUTLER_BEHIND_PROXY", False)
LOG_FORMAT = env.choice(
    "BUTLER_LOG_FORMAT", "json" if PRODUCTION else "text", among=("text", "json")
)
LOG_LEVEL = env.choice(
    "BUTLER_LOG_LEVEL", "INFO", among=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
)
_DATABASE: dict[str, Any] = env.postgres_url(
    "DATABASE_URL"
) or embedded_postgres.connection_settings(VAR_DIR / "postgres")
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        **_DATABASE,
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "application_name": PROCESS,
            # The long statements of the books are planned once per connection (common.statements).
            "prepare_threshold": 5,
            # Each trigger of pgtrigger asks for this setting, in a block that an unset one leaves
            # by an exception: after many rows of one transaction, that takes longer with each row.
            "options": "-c pgtrigger.ignore={}",
            **_DATABASE.get("OPTIONS", {}),
        },
    }
}
# `id:base64` pairs of 32-byte sealing keys; the first one seals. If empty, the file below is used,
# which is created with mode 0600.
VAULT_KEYS = env.words("BUTLER_VAULT_KEYS")
VAULT_KEY_FILE = VAR_DIR / "vault.keys"
# 32 or more random characters. Every token depends on them, so they must never change. Required
# with VAULT_KEYS.
TOKEN_PEPPER = env.text("BUTLER_TOKEN_PEPPER")
# The file outside the database to which signed checkpoints of the audit chain are appended.
AUDIT_CHECKPOINTS = Path(
    env.text("BUTLER_AUDIT_CHECKPOINTS", str(VAR_DIR / "audit-checkpoints"))
).resolve()

# The mail server for e-mail to persons. Without one, mails are files in the folder below.
EMAIL_HOST = env.text("BUTLER_MAIL_HOST")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'filebased'}.EmailBackend"
EMAIL_FILE_PATH = str(VAR_DIR / "mail")
EMAIL_PORT = env.integer("BUTLER_MAIL_PORT", 587, least=1, most=65_535)
EMAIL_HOST_USER = env.text("BUTLER_MAIL_USER")
EMAIL_HOST_PASSWORD = env.text("BUTLER_MAIL_PASSWORD")
_MAIL_SECURITY = env.choice("BUTLER_MAIL_SECURITY", "starttls", among=("starttls", "tls", "none"))
EMAIL_USE_TLS, EMAIL_USE_SSL = _MAIL_SECURITY == "starttls", _MAIL_SECURITY == "tls"
# Seconds of silence of the mail server after which a delivery is tried again later.
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("BUTLER_MAIL_FROM", "Butler <butler@localhost>")

# --- Butler's knobs ------------------------------------------------------------------------------

# The limit that a new agent begins with, in tokens per day; 0: none.
NEW_AGENT_TOKENS_PER_DAY = env.integer(
    "BUTLER_NEW_AGENT_TOKENS_PER_DAY", 10_000_000, least=0, most=10**14
)
# A key is a candidate for an allocation when more than this many tokens are free on it.
CANDIDATE_FREE_TOKENS_MIN = env.integer(
    "BUTLER_CANDIDATE_FREE_TOKENS_MIN", 10_000, least=0, most=10**12
)
ROTATION_THRESHOLD_PERCENT = env.integer("BUTLER_ROTATION_THRESHOLD_PERCENT", 75, least=1, most=100)
ALLOCATION_TTL_SECONDS = env.integer(
    "BUTLER_ALLOCATION_TTL_SECONDS", 3600, least=1, most=31_536_000
)
ALLOCATION_TTL_SECONDS_MAX = env.integer(
    "BUTLER_ALLOCATION_TTL_SECONDS_MAX", 30 * 86_400, least=1, most=31_536_000
)
# A hold expires after this time unless it is renewed. The gateway renews the holds of its calls.
HOLD_SECONDS = env.integer("BUTLER_HOLD_SECONDS", 120, least=1, most=86_400)
# How long after its end a session can report usage, and whether one can whose calls go through the
# gateway, which records them already. Tokens with the scope operate always can.
REPORT_SECONDS_AFTER_END = env.integer(
    "BUTLER_REPORT_SECONDS_AFTER_END", 600, least=0, most=31_536_000
)
REPORTS_BESIDE_GATEWAY = env.flag("BUTLER_REPORTS_BESIDE_GATEWAY", False)
# The most output tokens of a call whose client set no maximum, and the fewest worth a call.
OUTPUT_TOKENS_DEFAULT = env.integer("BUTLER_OUTPUT_TOKENS_DEFAULT", 16_384, least=1, most=10**7)
OUTPUT_TOKENS_MIN = env.integer("BUTLER_OUTPUT_TOKENS_MIN", 16, least=1, most=10**7)
# The most web searches by the provider of a call whose client set no maximum.
GATEWAY_SEARCHES_MAX = env.integer("BUTLER_GATEWAY_SEARCHES_MAX", 5, least=1, most=100)
# The most calls of one agent that one web process serves at the same time.
GATEWAY_AGENT_CALLS_MAX = env.integer("BUTLER_GATEWAY_AGENT_CALLS_MAX", 200, least=1, most=10**6)
# How long a call waits in the gateway for tokens that other calls of its session hold.
GATEWAY_HOLD_WAIT_SECONDS = env.integer("BUTLER_GATEWAY_HOLD_WAIT_SECONDS", 20, least=0, most=600)
# Where a call does not fit, hold only what the session's last answers make likely, instead of
# waiting: never, for calls whose client set no maximum (no_maximum), or always.
GATEWAY_LEARNED_HOLDS = env.choice(
    "BUTLER_GATEWAY_LEARNED_HOLDS", "never", among=("never", "no_maximum", "always")
)
# How long the gateway waits for a provider's own count of a call's input; 0: it never asks. It asks
# if a call would not fit otherwise, or its answer would be cut to fewer tokens than the second.
GATEWAY_COUNT_SECONDS = env.integer("BUTLER_GATEWAY_COUNT_SECONDS", 3, least=0, most=60)
GATEWAY_COUNT_OUTPUT_TOKENS = env.integer(
    "BUTLER_GATEWAY_COUNT_OUTPUT_TOKENS", 4_096, least=0, most=10**7
)
# How long the gateway waits for a provider to connect, and for each further piece of an answer.
UPSTREAM_CONNECT_SECONDS = env.integer("BUTLER_UPSTREAM_CONNECT_SECONDS", 10, least=1, most=600)
UPSTREAM_SILENCE_SECONDS = env.integer("BUTLER_UPSTREAM_SILENCE_SECONDS", 600, least=1, most=86_400)
# How long a stream whose client has left is read on, if its model reasons unseen.
GATEWAY_READ_ON_SECONDS = env.integer("BUTLER_GATEWAY_READ_ON_SECONDS", 600, least=0, most=86_400)
# A provider's answer that is larger, once it is decoded, is given up.
GATEWAY_ANSWER_BYTES_MAX = env.integer(
    "BUTLER_GATEWAY_ANSWER_BYTES_MAX", 128_000_000, least=1_000_000, most=10**10
)
# Networks that are not public and may be called: with API keys, where plain HTTP is then allowed,
# and by channels of notifications. Their addresses are checked with each connection.
PROVIDER_NETWORKS = env.networks("BUTLER_PROVIDER_NETWORKS", () if PRODUCTION else ("private",))
CHANNEL_NETWORKS = env.networks("BUTLER_CHANNEL_NETWORKS")
# The address of the sandbox provider; if it is empty, `manage.py up` starts one.
SANDBOX_URL = env.text("BUTLER_SANDBOX_URL")
# The address of the simulator of payments, a rail with play money; if it is empty, `manage.py up`
# starts one, unless this is a production.
SIMULATOR_URL = env.text("BUTLER_SIMULATOR_URL")
# After how many days people are told of money that has left one of the organisation's accounts and
# has not arrived at another one. Banks need up to a week over weekends and holidays.
TRANSIT_DAYS = env.integer("BUTLER_TRANSIT_DAYS", 7, least=1, most=60)
# Stand-ins for the vendors of rails, by kind, for tests: rails in sandbox mode call them instead.
RAIL_URLS: dict[str, str] = {}
# The largest body of a request: on routes that take images and files, and on those that do not. Of
# it, the definitions of tools. All large bodies of one process, of which one agent may have half.
GATEWAY_BODY_BYTES_MAX = env.integer(
    "BUTLER_GATEWAY_BODY_BYTES_MAX", 32_000_000, least=100_000, most=10**9
)
GATEWAY_TEXT_BODY_BYTES_MAX = env.integer(
    "BUTLER_GATEWAY_TEXT_BODY_BYTES_MAX", 8_000_000, least=100_000, most=10**9
)
GATEWAY_TOOLS_BYTES_MAX = env.integer(
    "BUTLER_GATEWAY_TOOLS_BYTES_MAX", 2_000_000, least=10_000, most=10**9
)
GATEWAY_LARGE_BODIES_BYTES_MAX = env.integer(
    "BUTLER_GATEWAY_LARGE_BODIES_BYTES_MAX",
    2 * GATEWAY_BODY_BYTES_MAX,
    least=2 * GATEWAY_BODY_BYTES_MAX,
    most=10**11,
)
# How much a request may consist of: tools, messages or items, and values of its JSON with the names
# of fields.
GATEWAY_TOOLS_MAX = env.integer("BUTLER_GATEWAY_TOOLS_MAX", 2_000, least=1, most=10**6)
GATEWAY_MESSAGES_MAX = env.integer("BUTLER_GATEWAY_MESSAGES_MAX", 10_000, least=1, most=10**6)
GATEWAY_JSON_VALUES_MAX = env.integer(
    "BUTLER_GATEWAY_JSON_VALUES_MAX", 400_000, least=1_000, most=10**8
)
# Web pages of these origins may call the gateway from the browser.
GATEWAY_CORS_ORIGINS = env.origins("BUTLER_GATEWAY_CORS_ORIGINS")
# The address at which workers reach the gateway (without /v1), if it differs from the public one.
GATEWAY_URL = env.web_address_with_path("BUTLER_GATEWAY_URL", PUBLIC_URL, schemes=("https", "http"))
# The address of OpenClaw's gateway, ws://host:port; if it is empty, there is no OpenClaw runner.
# Its token; if it is empty, the one that `manage.py openclaw_config` derives and writes into
# OpenClaw's configuration.
OPENCLAW_URL = env.text("BUTLER_OPENCLAW_URL")
OPENCLAW_TOKEN = env.text("BUTLER_OPENCLAW_TOKEN")
# The most attempts that run at once: in all and of one agent, unless a concurrency limit in the
# admin sets another number, and in one process.
ATTEMPTS_MAX = env.integer("BUTLER_ATTEMPTS_MAX", 500, least=1, most=1_000_000)
AGENT_ATTEMPTS_MAX = env.integer("BUTLER_AGENT_ATTEMPTS_MAX", 100, least=1, most=1_000_000)
WORKER_ATTEMPTS_MAX = env.integer("BUTLER_WORKER_ATTEMPTS_MAX", 100, least=1, most=10_000)
# How long a worker is silent before others take over its attempts, and how often the attempts of
# one sub-task may be lost in this way before the sub-task is quarantined.
ATTEMPT_LEASE_SECONDS = env.integer("BUTLER_ATTEMPT_LEASE_SECONDS", 15, least=2, most=3_600)
ATTEMPT_RECOVERIES_MAX = env.integer("BUTLER_ATTEMPT_RECOVERIES_MAX", 5, least=0, most=100)
# The largest plan: its sub-tasks, how many may depend on one of them, and the longest chain.
SUB_TASKS_MAX = env.integer("BUTLER_SUB_TASKS_MAX", 10_000, least=1, most=100_000)
SUB_TASK_FAN_OUT_MAX = env.integer("BUTLER_SUB_TASK_FAN_OUT_MAX", 1_000, least=1, most=100_000)
SUB_TASK_DEPTH_MAX = env.integer("BUTLER_SUB_TASK_DEPTH_MAX", 100, least=1, most=10_000)
# The most tasks of one agent that may be open at once, and the most open sub-tasks of all of them.
AGENT_OPEN_TASKS_MAX = env.integer("BUTLER_AGENT_OPEN_TASKS_MAX", 200, least=1, most=10**6)
AGENT_OPEN_SUB_TASKS_MAX = env.integer(
    "BUTLER_AGENT_OPEN_SUB_TASKS_MAX", 20_000, least=1, most=10**7
)
TASK_TEXT_BYTES_MAX = 1_000_000
# How long after its end the prompts and results of a task are kept.
TASK_TEXT_DAYS = env.integer("BUTLER_TASK_TEXT_DAYS", 30, least=0, most=3_650)
# After how many hours an approval that nobody has decided raises a critical alert, and expires.
APPROVAL_ESCALATES_HOURS = env.integer("BUTLER_APPROVAL_ESCALATES_HOURS", 24, least=1, most=8_760)
APPROVAL_EXPIRES_HOURS = env.integer("BUTLER_APPROVAL_EXPIRES_HOURS", 168, least=1, most=8_760)
# The most live pages that one web process serves at the same time.
LIVE_STREAMS_MAX = env.integer("BUTLER_LIVE_STREAMS_MAX", 500, least=0, most=10**6)
ESTIMATE_BYTES_MAX = 1_000_000
API_REQUESTS_PER_MINUTE = env.integer("BUTLER_API_REQUESTS_PER_MINUTE", 6_000, least=1, most=10**9)

# --- Django --------------------------------------------------------------------------------------

INSTALLED_APPS = [
    # First, so that the commands `createsuperuser` and `changepassword` are Butler's.
    "butler_site",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "axes",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "pgtrigger",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "common",
    "security",
    "alerts",
    "keys",
    "prediction",
    "treasury",
    "gateway",
    "orchestration",
    "interchange",
    "gate",
    "reports",
    "dashboard",
    "api",
    # After Butler's apps, so that Butler's command `qcluster` replaces the one of django-q2.
    "django_q",
]
MIDDLEWARE = [
    "butler_site.request_id.RequestId",
    "butler_site.security_headers.SecurityHeaders",
    "butler_site.nul_characters.RefuseNul",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "butler_site.second_factor.RequireSecondFactor",
    "butler_site.session_activity.NoteActivity",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "butler_site.urls"
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
# Whole, since Django would put the path of requests before it in some threads only.
STATIC_URL = f"{FORCE_SCRIPT_NAME or ''}/static/"
# Development serves the files in the checkout; production those that collectstatic gathered.
STATIC_ROOT = VAR_DIR / "static" if PRODUCTION else None
WHITENOISE_USE_FINDERS = not PRODUCTION
_STATIC_STORAGE = "whitenoise.storage.CompressedManifestStaticFilesStorage"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": _STATIC_STORAGE
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "gate.rows.People",
]
# Wrong passwords are counted by name and address together: see `sign_in`.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = env.integer("BUTLER_SIGN_IN_TRIES", 10, least=1, most=1_000)
AXES_COOLOFF_TIME = timedelta(
    minutes=env.integer("BUTLER_SIGN_IN_LOCKED_MINUTES", 15, least=1, most=100_000)
)
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "butler_site.sign_in.client_address"
AXES_LOCKOUT_CALLABLE = "butler_site.sign_in.locked_page"
# Its tables are not for people: an alert says what happened.
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
# allauth counts wrong codes and more in the cache, which all processes share.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "gate_cache",
    },
    # django-q2 keeps the state of its own processes there.
    "queue": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}
ACCOUNT_ADAPTER = "butler_site.sign_in_adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600
# `sign_in_turns` and django-axes limit passwords.
ACCOUNT_RATE_LIMITS = {"login": False}
MFA_ADAPTER = "butler_site.sign_in_adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Butler"
MFA_RECOVERY_CODES_SHOW_ONCE = True
# Browsers allow passkeys on localhost without TLS.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not PRODUCTION
LOGIN_URL = "account_login"
LOGOUT_REDIRECT_URL = f"{FORCE_SCRIPT_NAME or ''}/"
LOGIN_REDIRECT_URL = f"{FORCE_SCRIPT_NAME or ''}/"
# Single sign-on by OpenID Connect: the provider's URL (its discovery document is below it), what it
# knows Butler by, its name on the page, and which of its groups has which role, as group=role.
OIDC_URL = env.text("BUTLER_OIDC_URL")
OIDC_NAME = env.text("BUTLER_OIDC_NAME", "single sign-on")
OIDC_GROUPS_CLAIM = env.text("BUTLER_OIDC_GROUPS_CLAIM", "groups")
OIDC_ROLES = dict(each.split("=", 1) for each in env.words("BUTLER_OIDC_ROLES") if "=" in each)
SOCIALACCOUNT_ADAPTER = "butler_site.single_sign_on.SingleSignOnAdapter"
# The policy for forms lets none lead to another site; the page to sign in has a link.
SOCIALACCOUNT_LOGIN_ON_GET = True
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "sso",
                "name": OIDC_NAME,
                "client_id": env.text("BUTLER_OIDC_CLIENT_ID"),
                "secret": env.text("BUTLER_OIDC_CLIENT_SECRET"),
                "settings": {"server_url": OIDC_URL},
            }
        ]
        if OIDC_URL
        else [],
    }
}
# Roles (and `superuser`) that need a second factor.
SECOND_FACTOR_ROLES = env.words("BUTLER_SECOND_FACTOR_ROLES")
# How long the link of an invitation works.
PASSWORD_RESET_TIMEOUT = 3 * 86_400
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# Functions are named by their path and called for each request, when URLs can be resolved.
UNFOLD = {
    "SITE_TITLE": "Butler",
    "SITE_HEADER": "Butler",
    "SITE_SUBHEADER": "Finance office for AI agents",
    "SITE_URL": f"{FORCE_SCRIPT_NAME or ''}/",
    "SITE_ICON": "dashboard.admin_theme.mark",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": "dashboard.admin_theme.mark"}
    ],
    "SHOW_VIEW_ON_SITE": False,
    "THEME": "dashboard.admin_theme.theme",
    "STYLES": [f"dashboard.admin_theme.{name}_style" for name in ("tokens", "shared", "admin")],
    "COLORS": {
        "primary": {
            "50": "#f0fdfa",
            "100": "#ccfbf1",
            "200": "#99f6e4",
            "300": "#5eead4",
            "400": "#2dd4bf",
            "500": "#14b8a6",
            "600": "#0d7d74",
            "700": "#0f766e",
            "800": "#115e59",
            "900": "#134e4a",
            "950": "#042f2e",
        }
    },
    "SIDEBAR": {"navigation": "dashboard.admin_theme.navigation"},
}
X_FRAME_OPTIONS = "DENY"
# `security_headers` allows a little more where pages of others need it.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
# Browsers share cookies between ports, so two clones on one machine need different names.
SESSION_COOKIE_NAME = "butler_session" if PRODUCTION else f"butler_session_{PORT}"
CSRF_COOKIE_NAME = "butler_csrf" if PRODUCTION else f"butler_csrf_{PORT}"
CSRF_TRUSTED_ORIGINS = ["{0.scheme}://{0.netloc}".format(urlsplit(PUBLIC_URL))]
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = FORCE_SCRIPT_NAME or "/"
MESSAGE_STORAGE = "common.message_cookie.MessageStorage"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SECURE_SSL_REDIRECT = PRODUCTION
# The probe may come from inside the network, without TLS, and with the path of the proxy.
SECURE_REDIRECT_EXEMPT = [r"(^|/)readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "common.logs.TextFormatter"},
        "json": {"()": "common.logs.JsonFormatter"},
    },
    "filters": {"redact": {"()": "security.redact.RedactSecrets"}},
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "filters": ["redact"],
            "stream": "ext://sys.stdout",
            "formatter": LOG_FORMAT,
        }
    },
    "root": {"handlers": ["stdout"], "level": LOG_LEVEL},
    "loggers": {
        # Django's own handlers would print some records twice and send others by e-mail.
        "django": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
        # Anybody can send a wrong Host header; the answer is 400, and no traceback fills the log.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        # Below WARNING, django-q2 logs a line for each job and schedule; failures are above it.
        "django-q": {"level": "DEBUG" if LOG_LEVEL == "DEBUG" else "WARNING"},
    },
}

# --- API and workers -----------------------------------------------------------------------------

# In JSON, one byte of a text to estimate can take up to six bytes (\u0041).
API_BODY_BYTES_MAX = 6 * ESTIMATE_BYTES_MAX + 100_000
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["api.authentication.BearerTokens"],
    "DEFAULT_PERMISSION_CLASSES": ["api.authentication.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["api.throttle.PerToken"],
    "DEFAULT_PARSER_CLASSES": ["api.parsers.Json"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "api.parsers.JsonAlways",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "api.schema.Schema",
    "EXCEPTION_HANDLER": "butler_site.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
    # ASCII only: a lone surrogate in a request must not break the response that quotes it.
    "UNICODE_JSON": False,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Butler",
    "DESCRIPTION": "Lends token budgets to AI agents, meters their calls and carries out tasks "
    "under those budgets. Token counts are whole numbers, money is in US dollars as decimal "
    "strings with 9 places, and times are ISO 8601 in UTC.",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",
    "SERVERS": [{"url": PUBLIC_URL}],
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "POSTPROCESSING_HOOKS": [],
    "SORT_OPERATIONS": False,
}
WEB_WORKERS = env.integer("BUTLER_WEB_WORKERS", 2, least=1, most=64)
WEB_THREADS = env.integer("BUTLER_WEB_THREADS", 8, least=1, most=256)
TASK_WORKERS = env.integer("BUTLER_TASK_WORKERS", 2, least=1, most=64)
Q_CLUSTER = {
    "name": "butler",
    "orm": "default",
    "workers": env.integer("BUTLER_QUEUE_WORKERS", 2, least=1, most=64),
    "timeout": 60,
    "retry": 120,
    "max_attempts": 5,
    "poll": 0.5,
    "cache": "queue",
    "catch_up": False,
    "label": "Queue",
}

# --- What was written but is no setting ----------------------------------------------------------

# Butler starts all the same, and says so: `manage.py check`, `up` and the log of the web server.
UNKNOWN_VARIABLES = env.unknown(
    prefix="BUTLER_",
    # The scanner of secrets, agents and benchmarks read these.
    elsewhere=(
        *(
            "BUTLER_GATE_URL",
            "BUTLER_GATE_TOKEN",
            "BUTLER_AGENT_TOKEN",
            "BUTLER_URL",
            "BUTLER_TOKEN",
        ),
        *("BUTLER_BENCH_DATA", "BUTLER_BENCH_LITELLM"),
        # Which suites are required, and how large tests are.
        *("BUTLER_BROWSER_TESTS", "BUTLER_CLIENTS", "BUTLER_CONTRACTS", "BUTLER_FENCE_TESTS"),
        *("BUTLER_OPENCLAW_TESTS", "BUTLER_BUDGET_ROUNDS", "BUTLER_CHAOS_PURCHASES"),
        *("BUTLER_CHAOS_SECONDS", "BUTLER_FLEET_TRACE", "BUTLER_KILLS", "BUTLER_KILL_ROUNDS"),
        *("BUTLER_KILL_SECONDS", "BUTLER_LIVE_SECONDS", "BUTLER_MACHINE_EXAMPLES"),
        *("BUTLER_RECONCILED_CALLS", "BUTLER_STREAMS", "BUTLER_TAMPERINGS", "BUTLER_TASK_KILLS"),
        *("BUTLER_TASK_SEED", "BUTLER_TRUTH_CALLS", "BUTLER_XAI_LOST_ANSWERS"),
    ),
)
