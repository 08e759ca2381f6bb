"""What leaks look like: one row for each kind of secret, from what its vendor publishes.

A form is text with random pieces: `{x:32}` is 32 characters of class x. The rows are written from
vendors' documents and from keys as they are shown in their consoles, not from the rules.
"""

import base64
import json
import random
import string
import zlib
from collections.abc import Callable
from typing import NamedTuple

_ALNUM = string.ascii_letters + string.digits
_CLASSES = {
    "n": _ALNUM,
    "w": _ALNUM + "-_",
    "b": _ALNUM + "+/",
    "a": string.ascii_lowercase + string.digits,
    "u": string.ascii_uppercase + string.digits,
    "l": string.ascii_letters,
    "x": "0123456789abcdef",
    "X": "0123456789ABCDEF",
    "2": string.ascii_uppercase + "234567",
    "d": string.digits,
    "z": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
    "p": _ALNUM + "!#%*+-.=?^_~",
    "k": string.ascii_lowercase + string.digits + "!@#$%^&*(-_=+)",
}
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_UUID = "{x:8}-{x:4}-4{x:3}-a{x:3}-{x:12}"


class Kind(NamedTuple):
    """A kind of secret: whose it is, what variable holds it, how it looks."""

    id: str
    vendor: str
    name: str
    form: str | Callable[[random.Random], str]

    def body(self, source: random.Random) -> str:
        """A new secret of this kind."""
        return fill(self.form, source) if isinstance(self.form, str) else self.form(source)

    @property
    def is_block(self) -> bool:
        """Whether it has many lines."""
        return self.id.startswith("pem-")

    @property
    def is_url(self) -> bool:
        """Whether it is an address with a password in it."""
        return self.id.startswith("url-")


def fill(form: str, source: random.Random) -> str:
    """The form with random characters in its pieces."""
    made = []
    for part in form.split("{"):
        piece, brace, rest = part.rpartition("}")
        if brace:
            alphabet, _, length = piece.partition(":")
            made.append("".join(source.choices(_CLASSES[alphabet], k=int(length))))
        made.append(rest)
    return "".join(made)


def _with_crc(prefix: str, form: str) -> Callable[[random.Random], str]:
    def body(source: random.Random) -> str:
        inner = fill(form, source)
        number, digits = zlib.crc32(inner.encode()), ""
        for _ in range(6):
            number, digit = divmod(number, 62)
            digits = _BASE62[digit] + digits
        return prefix + inner + digits

    return body


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _jwt(source: random.Random) -> str:
    claims = {"iss": "https://id.corp", "sub": fill("{d:10}", source), "exp": 1_900_000_000}
    head = _base64url(json.dumps({"alg": "RS256", "typ": "JWT", "kid": "k1"}).encode())
    return f"{head}.{_base64url(json.dumps(claims).encode())}.{_base64url(source.randbytes(256))}"


def _service_role(source: random.Random) -> str:
    claims = {"iss": "supabase", "ref": fill("{a:20}", source), "role": "service_role"}
    head = _base64url(b'{"alg":"HS256","typ":"JWT"}')
    return f"{head}.{_base64url(json.dumps(claims).encode())}.{fill('{w:43}', source)}"


def _pem(label: str, size: int, head: bytes = b"\x30\x82") -> Callable[[random.Random], str]:
    def body(source: random.Random) -> str:
        text = base64.b64encode(head + source.randbytes(size)).decode()
        rows = [text[at : at + 64] for at in range(0, len(text), 64)]
        return "\n".join([f"-----BEGIN {label}-----", *rows, f"-----END {label}-----"])

    return body


def _basic(source: random.Random) -> str:
    return base64.b64encode(fill("deploy:{p:18}", source).encode()).decode()


_ROWS: list[tuple[str, str, str, str | Callable[[random.Random], str]]] = [
    # Models
    ("openai-project", "OpenAI", "OPENAI_API_KEY", "sk-proj-{w:74}T3BlbkFJ{w:74}"),
    ("openai-short-project", "OpenAI", "OPENAI_API_KEY", "sk-proj-{n:20}T3BlbkFJ{n:20}"),
    ("openai-service", "OpenAI", "OPENAI_KEY", "sk-svcacct-{w:58}T3BlbkFJ{w:58}"),
    ("openai-admin", "OpenAI", "OPENAI_ADMIN_KEY", "sk-admin-{w:58}T3BlbkFJ{w:58}"),
    ("openai-user", "OpenAI", "openai_api_key", "sk-{n:20}T3BlbkFJ{n:20}"),
    ("anthropic", "Anthropic", "ANTHROPIC_API_KEY", "sk-ant-api03-{w:93}AA"),
    ("anthropic-admin", "Anthropic", "ANTHROPIC_ADMIN_KEY", "sk-ant-admin01-{w:93}AA"),
    ("anthropic-oauth", "Claude", "CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-{w:93}AA"),
    ("anthropic-refresh", "Claude", "refreshToken", "sk-ant-ort01-{w:93}AA"),
    ("openrouter", "OpenRouter", "OPENROUTER_API_KEY", "sk-or-v1-{x:64}"),
    ("deepseek", "DeepSeek", "DEEPSEEK_API_KEY", "sk-{x:32}"),
    ("dashscope", "DashScope", "DASHSCOPE_API_KEY", "sk-{x:32}"),
    ("moonshot", "Moonshot", "MOONSHOT_API_KEY", "sk-{n:48}"),
    ("litellm", "LiteLLM", "LITELLM_MASTER_KEY", "sk-{w:22}"),
    ("nvidia", "Nvidia", "NVIDIA_API_KEY", "nvapi-{w:64}"),
    ("groq", "Groq", "GROQ_API_KEY", "gsk_{n:52}"),
    ("xai", "XAI", "XAI_API_KEY", "xai-{n:80}"),
    ("perplexity", "Perplexity", "PPLX_API_KEY", "pplx-{n:48}"),
    ("replicate", "Replicate", "REPLICATE_API_TOKEN", "r8_{n:37}"),
    ("huggingface", "HuggingFace", "HF_TOKEN", "hf_{l:34}"),
    ("huggingface-org", "HuggingFace", "HF_ORG_TOKEN", "api_org_{l:34}"),
    ("gemini", "Gemini", "GEMINI_API_KEY", "AIza{w:35}"),
    ("google-oauth", "Google", "GOOGLE_CLIENT_SECRET", "GOCSPX-{w:28}"),
    ("google-access", "Google", "access_token", "ya29.a0{w:160}"),
    ("elevenlabs", "ElevenLabs", "ELEVENLABS_API_KEY", "sk_{x:48}"),
    ("cerebras", "Cerebras", "CEREBRAS_API_KEY", "csk-{a:48}"),
    ("fireworks", "Fireworks", "FIREWORKS_API_KEY", "fw_{n:24}"),
    ("together", "Together", "TOGETHER_API_KEY", "tgp_v1_{w:43}"),
    ("together-hex", "Together", "TOGETHER_API_KEY", "{x:64}"),
    ("tavily", "Tavily", "TAVILY_API_KEY", "tvly-{n:32}"),
    ("tavily-dev", "Tavily", "TAVILY_API_KEY", "tvly-dev-{n:32}"),
    ("firecrawl", "Firecrawl", "FIRECRAWL_API_KEY", "fc-{x:32}"),
    ("jina", "Jina", "JINA_API_KEY", "jina_{n:60}"),
    ("voyage", "Voyage", "VOYAGE_API_KEY", "pa-{w:43}"),
    ("langsmith", "LangSmith", "LANGCHAIN_API_KEY", "lsv2_pt_{x:32}_{x:10}"),
    ("langfuse", "Langfuse", "LANGFUSE_SECRET_KEY", f"sk-lf-{_UUID}"),
    ("mistral", "Mistral", "MISTRAL_API_KEY", "{n:32}"),
    ("cohere", "Cohere", "COHERE_API_KEY", "{n:40}"),
    ("azure-openai", "AzureOpenAI", "AZURE_OPENAI_API_KEY", "{x:32}"),
    ("azure-openai-long", "AzureOpenAI", "AZURE_OPENAI_KEY", "{n:84}"),
    ("assemblyai", "AssemblyAI", "ASSEMBLYAI_API_KEY", "{x:32}"),
    ("deepgram", "Deepgram", "DEEPGRAM_API_KEY", "{x:40}"),
    ("wandb", "Wandb", "WANDB_API_KEY", "{x:40}"),
    # Payment
    ("stripe-live", "Stripe", "STRIPE_SECRET_KEY", "sk_live_51{n:97}"),
    ("stripe-test", "Stripe", "STRIPE_API_KEY", "sk_test_{n:24}"),
    ("stripe-restricted", "Stripe", "STRIPE_KEY", "rk_live_51{n:97}"),
    ("stripe-webhook", "Stripe", "STRIPE_WEBHOOK_SECRET", "whsec_{n:32}"),
    ("paypal", "PayPal", "PAYPAL_CLIENT_SECRET", "E{w:79}"),
    ("braintree", "Braintree", "BT_ACCESS_TOKEN", "access_token$production${a:16}${x:32}"),
    ("circle", "Circle", "CIRCLE_API_KEY", "LIVE_API_KEY:{x:32}:{x:32}"),
    ("circle-test", "Circle", "CIRCLE_API_KEY", "TEST_API_KEY:{x:32}:{x:32}"),
    ("circle-entity", "Circle", "CIRCLE_ENTITY_SECRET", "{x:64}"),
    ("coinbase", "Coinbase", "COINBASE_ACCESS_TOKEN", "{a:64}"),
    ("square", "Square", "SQUARE_ACCESS_TOKEN", "EAAA{w:60}"),
    ("plaid", "Plaid", "PLAID_ACCESS_TOKEN", f"access-production-{_UUID}"),
    ("shopify", "Shopify", "SHOPIFY_ADMIN_TOKEN", "shpat_{x:32}"),
    # Clouds
    ("aws-id", "AWS", "AWS_ACCESS_KEY_ID", "AKIA{2:16}"),
    ("aws-temporary-id", "AWS", "aws_access_key_id", "ASIA{2:16}"),
    ("aws-secret", "AWS", "AWS_SECRET_ACCESS_KEY", "{b:40}"),
    ("aws-bedrock", "AWS", "AWS_BEARER_TOKEN_BEDROCK", "ABSK{b:128}"),
    ("azure-ad", "Azure", "AZURE_CLIENT_SECRET", "{n:3}8Q~{w:34}"),
    (
        "azure-storage", "Azure", "AZURE_STORAGE_CONNECTION_STRING",
        "DefaultEndpointsProtocol=https;AccountName=prod;AccountKey={b:86}==;EndpointSuffix=core.windows.net",
    ),
    ("digitalocean", "DigitalOcean", "DIGITALOCEAN_TOKEN", "dop_v1_{x:64}"),
    ("databricks", "Databricks", "DATABRICKS_TOKEN", "dapi{x:32}"),
    ("heroku", "Heroku", "HEROKU_API_KEY", _UUID),
    ("cloudflare", "Cloudflare", "CLOUDFLARE_API_TOKEN", "{w:40}"),
    ("fly", "Fly", "FLY_API_TOKEN", "fo1_{w:43}"),
    ("alibaba", "Alibaba", "ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5t{n:18}"),
    ("vault", "Vault", "VAULT_TOKEN", "hvs.{w:92}"),
    ("terraform", "Terraform", "TF_TOKEN_app_terraform_io", "{n:14}.atlasv1.{n:67}"),
    ("pulumi", "Pulumi", "PULUMI_ACCESS_TOKEN", "pul-{x:40}"),
    ("doppler", "Doppler", "DOPPLER_TOKEN", "dp.pt.{n:43}"),
    # Git hosts, packages, CI
    ("github", "GitHub", "GITHUB_TOKEN", _with_crc("ghp_", "{n:30}")),
    ("github-app", "GitHub", "GH_TOKEN", _with_crc("ghs_", "{n:30}")),
    ("github-fine", "GitHub", "GITHUB_PAT", _with_crc("github_pat_", "{n:22}_{n:53}")),
    ("npm", "Npm", "NPM_TOKEN", _with_crc("npm_", "{n:30}")),
    ("gitlab", "GitLab", "GITLAB_TOKEN", "glpat-{w:20}"),
    ("gitlab-routable", "GitLab", "GITLAB_TOKEN", "glpat-{w:27}.01.{a:9}"),
    ("gitlab-runner", "GitLab", "CI_RUNNER_TOKEN", "glrt-{w:20}"),
    ("bitbucket", "Bitbucket", "BITBUCKET_APP_PASSWORD", "ATBB{n:32}"),
    ("atlassian", "Atlassian", "JIRA_API_TOKEN", "ATATT3xFfGF0{w:180}={X:8}"),
    ("pypi", "PyPI", "TWINE_PASSWORD", "pypi-AgEIcHlwaS5vcmc{w:150}"),
    ("rubygems", "RubyGems", "GEM_HOST_API_KEY", "rubygems_{x:48}"),
    ("dockerhub", "DockerHub", "DOCKERHUB_TOKEN", "dckr_pat_{w:27}"),
    ("crates", "Crates", "CARGO_REGISTRY_TOKEN", "cio{n:32}"),
    ("circleci", "CircleCI", "CIRCLE_TOKEN", "CCIPAT_{n:22}_{x:40}"),
    ("buildkite", "Buildkite", "BUILDKITE_API_TOKEN", "bkua_{x:40}"),
    ("sonar", "Sonar", "SONAR_TOKEN", "squ_{x:40}"),
    ("postman", "Postman", "POSTMAN_API_KEY", "PMAK-{x:24}-{x:34}"),
    # Chat and mail
    ("slack-bot", "Slack", "SLACK_BOT_TOKEN", "xoxb-{d:12}-{d:13}-{n:24}"),
    ("slack-user", "Slack", "SLACK_TOKEN", "xoxp-{d:12}-{d:12}-{d:13}-{x:32}"),
    ("slack-app", "Slack", "SLACK_APP_TOKEN", "xapp-1-A{u:10}-{d:13}-{x:64}"),
    (
        "slack-webhook", "Slack", "SLACK_WEBHOOK_URL",
        "https://hooks.slack.com/services/T{u:10}/B{u:10}/{n:24}",
    ),
    (
        "discord-webhook", "Discord", "DISCORD_WEBHOOK_URL",
        "https://discord.com/api/webhooks/{d:19}/{w:68}",
    ),
    ("discord-bot", "Discord", "DISCORD_TOKEN", "MT{n:24}.G{n:5}.{w:38}"),
    ("telegram", "Telegram", "TELEGRAM_BOT_TOKEN", "7{d:9}:AA{w:33}"),
    ("sendgrid", "SendGrid", "SENDGRID_API_KEY", "SG.{w:22}.{w:43}"),
    ("mailgun", "Mailgun", "MAILGUN_API_KEY", "key-{x:32}"),
    ("mailchimp", "Mailchimp", "MAILCHIMP_API_KEY", "{x:32}-us21"),
    ("brevo", "Brevo", "BREVO_API_KEY", "xkeysib-{x:64}-{n:16}"),
    ("resend", "Resend", "RESEND_API_KEY", "re_{n:8}_{n:24}"),
    ("twilio-key", "Twilio", "TWILIO_API_KEY", "SK{x:32}"),
    ("twilio-token", "Twilio", "TWILIO_AUTH_TOKEN", "{x:32}"),
    # Observability and tools
    ("grafana", "Grafana", "GRAFANA_TOKEN", "glsa_{n:32}_{x:8}"),
    ("newrelic", "NewRelic", "NEW_RELIC_API_KEY", "NRAK-{u:27}"),
    ("datadog", "Datadog", "DD_API_KEY", "{x:32}"),
    ("sentry", "Sentry", "SENTRY_AUTH_TOKEN", "sntryu_{x:64}"),
    ("dynatrace", "Dynatrace", "DT_API_TOKEN", "dt0c01.{u:24}.{u:64}"),
    ("posthog", "PostHog", "POSTHOG_PERSONAL_API_KEY", "phx_{n:43}"),
    ("notion", "Notion", "NOTION_TOKEN", "ntn_{d:11}{n:35}"),
    ("linear", "Linear", "LINEAR_API_KEY", "lin_api_{n:40}"),
    ("airtable", "Airtable", "AIRTABLE_TOKEN", "pat{n:14}.{x:64}"),
    ("figma", "Figma", "FIGMA_TOKEN", "figd_{w:40}"),
    ("supabase", "Supabase", "SUPABASE_ACCESS_TOKEN", "sbp_{x:40}"),
    ("supabase-role", "Supabase", "SUPABASE_SERVICE_ROLE_KEY", _service_role),
    ("planetscale", "PlanetScale", "PLANETSCALE_PASSWORD", "pscale_pw_{w:43}"),
    ("hubspot", "HubSpot", "HUBSPOT_TOKEN", f"pat-na1-{_UUID}"),
    ("tailscale", "Tailscale", "TS_AUTHKEY", "tskey-auth-{n:12}CNTRL-{n:32}"),
    ("age", "Age", "SOPS_AGE_KEY", "AGE-SECRET-KEY-1{z:58}"),
    ("algolia", "Algolia", "ALGOLIA_ADMIN_KEY", "{x:32}"),
    ("okta", "Okta", "OKTA_API_TOKEN", "00{w:40}"),
    ("onepassword", "OnePassword", "OP_SERVICE_ACCOUNT_TOKEN", "ops_eyJ{n:300}"),
    # Of no vendor
    ("jwt", "Auth", "ID_TOKEN", _jwt),
    ("django", "Django", "SECRET_KEY", "django-insecure-{k:50}"),
    ("flask", "Flask", "FLASK_SECRET_KEY", "{x:48}"),
    ("fernet", "App", "ENCRYPTION_KEY", "{w:43}="),
    ("password", "App", "DB_PASSWORD", "{l:2}7{p:13}"),
    ("password-short", "App", "SMTP_PASSWORD", "{l:4}4{p:3}R9"),
    ("api-key", "App", "INTERNAL_API_KEY", "{n:32}"),
    ("client-secret", "App", "CLIENT_SECRET", "{w:40}"),
    ("webhook-hmac", "App", "WEBHOOK_SECRET", "{x:40}"),
    ("basic", "App", "BASIC_AUTH", _basic),
    ("url-postgres", "App", "DATABASE_URL", "postgresql://app:{n:20}@db.corp:5432/app"),
    ("url-mysql", "App", "MYSQL_URL", "mysql+pymysql://root:{p:14}@10.0.0.5/shop"),
    ("url-mongodb", "App", "MONGODB_URI", "mongodb+srv://svc:{n:16}@cluster0.ab1cd.mongodb.net"),
    ("url-redis", "App", "REDIS_URL", "redis://:{n:24}@cache.corp:6379/0"),
    ("url-amqp", "App", "CELERY_BROKER_URL", "amqps://worker:{w:22}@mq.corp/prod"),
    ("url-https", "App", "REPO_URL", "https://ci:{n:20}@git.corp/team/app.git"),
    ("url-smtp", "App", "EMAIL_URL", "smtp://mailer%40corp.com:{n:16}@smtp.corp:587"),
    ("butler-agent", "Butler", "BUTLER_AGENT_TOKEN", "bt_{a:8}_{w:43}"),
    ("pem-rsa", "App", "PRIVATE_KEY", _pem("RSA PRIVATE KEY", 600)),
    ("pem-pkcs8", "App", "private_key", _pem("PRIVATE KEY", 600)),
    ("pem-ec", "Coinbase", "COINBASE_API_SECRET", _pem("EC PRIVATE KEY", 118)),
    ("pem-openssh", "App", "DEPLOY_KEY", _pem("OPENSSH PRIVATE KEY", 400, b"openssh-key-v1\0")),
]  # fmt: skip
KINDS = [Kind(*row) for row in _ROWS]
