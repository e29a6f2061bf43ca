"""Every setting, read once from the environment, with defaults that are safe on a bare machine.

The README lists the variables. Without any of them the site runs on the embedded PostgreSQL and
Valkey whose sockets live in `DATA_DIR`.
"""

import os
import secrets
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django_stubs_ext
import environ
import structlog
from django.templatetags.static import static
from kombu import Exchange, Queue

from config import embedded
from config.policy import PAGES

django_stubs_ext.monkeypatch()  # so that `QuerySet["Job"]` works at run time

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = embedded.data_dir()


def secret_key() -> str:
    """The signing key of this installation, made once and kept where only we can read it."""
    path = DATA_DIR / "secret_key"
    DATA_DIR.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # Whole or not at all: several processes may start at once, and any may be killed.
        descriptor, temporary = tempfile.mkstemp(dir=DATA_DIR)  # readable by us alone
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(50))
        with suppress(FileExistsError):
            os.link(temporary, path)
        os.unlink(temporary)
    return path.read_text()


# The site

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", "") or secret_key()
# Those before it, for as long as sessions and rows are signed and sealed with them.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
SITE_URL = env.str("SITE_URL", f"http://127.0.0.1:{env.str('PORT', '8000')}")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# Of a request's body, see config/bodies.py. No larger in memory, so that none is kept on disk.
REQUEST_BYTES_MAX = env.int("REQUEST_BYTES_MAX", 2_621_440)
REQUEST_SECONDS = env.float("REQUEST_SECONDS", 30.0)
# Of a file that somebody brings; how much of it a person may keep is `training.runner.caps`.
UPLOAD_BYTES_MAX = env.int("UPLOAD_BYTES_MAX", 105_000_000)
UPLOAD_SECONDS = env.float("UPLOAD_SECONDS", 600.0)
# Threads that answer, each with a connection to the database; how long the line before them is.
WEB_THREADS = env.int("WEB_THREADS", 12)
WEB_WAITING_MAX = 128
DATA_UPLOAD_MAX_MEMORY_SIZE = FILE_UPLOAD_MAX_MEMORY_SIZE = REQUEST_BYTES_MAX
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "config.apps.SiteConfig",
    "marketplace",
    "clusters",
    "training",
    "billing",
    "governance",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "template_partials",
    "django_prometheus",
    "django_structlog",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.policy.PolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "config.activity.ActivityMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "config.quotas.QuotaMiddleware",
    "config.errors.RefusalMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

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
                "config.context.site",
            ],
        },
    },
]

# Rows

DATABASES = {"default": env.db("DATABASE_URL", embedded.database_url(DATA_DIR))}
DATABASES["default"]["CONN_MAX_AGE"] = 60
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# Pages come from memory or a solid-state disk, where any page costs about what the next one does.
# With the planner's 4, which is a turning disk's, it reads a second index of half a million rows to
# spare a thousand pages. Nothing that people ask runs long enough to be worth compiling.
options = DATABASES["default"].setdefault("OPTIONS", {})
options["options"] = f"-c random_page_cost=1.1 -c jit=off {options.get('options', '')}".strip()

# Files: weights, checkpoints and data are named by their SHA-256, so a name never changes content.

STORAGE_URL = env.str("STORAGE_URL", "")
MEDIA_ROOT = DATA_DIR / "files"
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Without a folder to collect into, static files are served from their packages as they stand; with
# one, `collectstatic` names them by their hash, compresses them, and browsers keep them for ever.
STATIC_ROOT = env.str("STATIC_ROOT", "") or None
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
STATIC_STORAGE = (
    "whitenoise.storage.CompressedManifestStaticFilesStorage"
    if STATIC_ROOT
    else "django.contrib.staticfiles.storage.StaticFilesStorage"
)
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": STATIC_STORAGE},
}
if STORAGE_URL:  # s3://bucket?endpoint_url=…
    bucket = urlsplit(STORAGE_URL)
    STORAGES["default"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {"bucket_name": bucket.netloc, "location": bucket.path.lstrip("/")}
        | dict(pair.split("=", 1) for pair in bucket.query.split("&") if pair),
    }

# Work. Late acknowledgement and short tasks: a worker may die at any instruction.

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", embedded.broker_url(DATA_DIR))
# How long a reader may take for a file that somebody brought.
TRAINING_READER_SECONDS = env.float("TRAINING_READER_SECONDS", 600.0)
# Above the longest task, such a reading after a chunk of training: what is given out again while
# somebody does it is only noise. A message whose worker died does not wait for it, since the sweeps
# below hint anew.
VISIBILITY_SECONDS = int(TRAINING_READER_SECONDS) + 300
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {
        "visibility_timeout": VISIBILITY_SECONDS,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
    }
    if CELERY_BROKER_URL.startswith("redis")
    else {}
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_DEFAULT_QUEUE = env.str("CELERY_QUEUE", "marketplace")
CELERY_TASK_DEFAULT_QUEUE_TYPE = (
    "quorum" if CELERY_BROKER_URL.startswith(("amqp", "pyamqp")) else "classic"
)
# Files that people bring have a queue of their own, and so have what is sent to their webhooks and
# their e-mails. A worker takes from all in turn, so that a heap of files, or receivers and a mail
# server that take their time, delay no training by more than one of them, and training no file.
FILES_QUEUE = f"{CELERY_TASK_DEFAULT_QUEUE}-files"
WEBHOOKS_QUEUE = f"{CELERY_TASK_DEFAULT_QUEUE}-webhooks"
MAIL_QUEUE = f"{CELERY_TASK_DEFAULT_QUEUE}-mail"
CELERY_TASK_QUEUES = [
    Queue(
        name,
        Exchange(name),
        routing_key=name,
        queue_arguments={"x-queue-type": CELERY_TASK_DEFAULT_QUEUE_TYPE},
    )
    for name in (CELERY_TASK_DEFAULT_QUEUE, FILES_QUEUE, WEBHOOKS_QUEUE, MAIL_QUEUE)
]
CELERY_TASK_ROUTES = {
    "training.tasks.prepare_dataset": {"queue": FILES_QUEUE},
    "marketplace.tasks.read_batch": {"queue": FILES_QUEUE},
    "governance.tasks.deliver_webhooks": {"queue": WEBHOOKS_QUEUE},
    "governance.tasks.send_notice": {"queue": MAIL_QUEUE},
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")

TRAINING_CHUNK_SECONDS = env.float("TRAINING_CHUNK_SECONDS", 2.0)
TRAINING_LEASE_SECONDS = env.float("TRAINING_LEASE_SECONDS", 30.0)
TRAINING_SWEEP_SECONDS = env.float("TRAINING_SWEEP_SECONDS", 5.0)
# More than a reader may take, or whoever brings a file that takes long would lose it.
TRAINING_STALL_SECONDS = env.float("TRAINING_STALL_SECONDS", TRAINING_READER_SECONDS + 300)
# What reads a file that people bring; where it is empty, the worker itself does, which is at once
# there and would die with a file that kills its parser.
TRAINING_READER = [sys.executable, "-m", "training.runner.reading"]
# Predictions that a process has under way at a time, of all models and of one; who comes then is
# asked to come again. And how long one may take.
PREDICTIONS_MAX = env.int("PREDICTIONS_MAX", 64)
PREDICTIONS_OF_ONE_MODEL_MAX = env.int("PREDICTIONS_OF_ONE_MODEL_MAX", 48)
PREDICTION_SECONDS = env.float("PREDICTION_SECONDS", 20.0)
STATISTICS_SECONDS = env.float("STATISTICS_SECONDS", 5.0)
# How long what only its maker may want again is kept: checkpoints of jobs that are over, files of
# rounds, of batches, answers to idempotency keys. Models, measurements and money are kept for ever.
RETENTION_DAYS = env.float("RETENTION_DAYS", 7.0)
# Whether webhooks may lead to this machine itself, there also by plain http: for trying them out.
WEBHOOKS_TO_LOOPBACK = env.bool("WEBHOOKS_TO_LOOPBACK", DEBUG)
# For our own processes and those they start: the compiled modules are shared.
os.environ.setdefault("KERNELS_DIR", str(DATA_DIR / "kernels"))

# So many calls in so many seconds, by kind of call: of a member, and of an address where nobody has
# signed in. An open page that follows a job asks once a second. `QUOTA_FACTOR` makes all of them
# larger or smaller; 0 counts nothing.

QUOTA_SECONDS = 300
QUOTA_FACTOR = env.float("QUOTA_FACTOR", 1.0)
QUOTAS = {
    kind: {who: round(calls * QUOTA_FACTOR) for who, calls in callers.items()}
    for kind, callers in {
        "pages": {"anonymous": 1_500, "member": 6_000},
        "api": {"anonymous": 300, "member": 3_000},
        "files": {"anonymous": 100, "member": 600},
        "questions": {"anonymous": 60, "member": 600},
        "predict": {"member": 300_000},
    }.items()
}

# People

AUTH_USER_MODEL = "governance.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "config.accounts.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email", "username"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = env.str("ACCOUNT_EMAIL_VERIFICATION", "mandatory")
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_USERNAME_BLACKLIST = ["admin", "root", "system", "moderator", "support"]
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG
USERSESSIONS_TRACK_ACTIVITY = True
EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
EMAIL_TIMEOUT = 15  # seconds: a mail server that says nothing holds no worker
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Neural Marketplace <noreply@localhost>")
# The demonstration's accounts and model; a public site has none unless it asks for them.
DEMO = env.bool("DEMO", not SITE_URL.startswith("https://"))

# The browser

SECURE = SITE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
METRICS_TOKEN = env.str("METRICS_TOKEN", "")
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {"DIRECTIVES": PAGES}

# The JSON door

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "governance.api.keys.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["governance.api.keys.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["governance.api.keys.ShallowJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "governance.api.schema.Schema",
    "DEFAULT_THROTTLE_CLASSES": ["governance.api.quotas.QuotaThrottle"],
    "EXCEPTION_HANDLER": "config.errors.problem",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Neural Marketplace",
    "DESCRIPTION": "Train, validate, publish, buy, deploy and use neural networks.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",  # what follows is the tag
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "governance.api.schema.with_problems",
    ],
    "COMPONENT_SPLIT_REQUEST": True,  # else a file to send is told as an address
    "ENUM_NAME_OVERRIDES": {
        "NodeRoleEnum": "clusters.models.Node.Role",
        "NodeStateEnum": "clusters.models.Node.State",
        "ClusterStateEnum": "clusters.models.Cluster.State",
        "AggregationEnum": "clusters.services.Aggregation",
        "MergingEnum": "marketplace.models.Deployment.Aggregation",
        "NoticeTypeEnum": "governance.models.NoticeType",
        "DeliveryStateEnum": "governance.models.WebhookDelivery.State",
        "LicenceEnum": "training.services.LICENCES",
        "CardLicenceEnum": "training.models.Licence",
        "ValidationKindEnum": "training.models.Validation.Kind",
        "WorkStatusEnum": "training.models.Job.Status",
        "BatchStatusEnum": "marketplace.models.Batch.State",
        "CheckAnswerEnum": "marketplace.models.peer_reviews.Answer",
        "FormatEnum": "training.models.Dataset.Format",
        "TierEnum": "training.models.Tier",
        "OfferEnum": ["free", "paid"],
        "VersionStatusEnum": "marketplace.models.TemplateVersion.Status",
    },
    "WEBHOOKS": ["governance.api.messages.MESSAGE"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# The desk of moderators and finance, in the site's colour

GREENS = {
    "50": "#effaf6",
    "100": "#d6f2e8",
    "200": "#b0e4d3",
    "300": "#7dd0b9",
    "400": "#49b59b",
    "500": "#279a81",
    "600": "#0f6e5c",
    "700": "#0d5c4d",
    "800": "#0d4a3f",
    "900": "#0c3d35",
    "950": "#04231f",
}

UNFOLD = {
    "SITE_TITLE": "Neural Marketplace",
    "SITE_HEADER": "Neural Marketplace",
    "SITE_ICON": lambda request: static("mark.svg"),
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("mark.svg")}
    ],
    "COLORS": {"primary": GREENS},
}

# What happened: one JSON object a line, with the id of the request or job it belongs to

LOG_LEVEL = env.str("LOG_LEVEL", "INFO")
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_STATUS_4XX_LOG_LEVEL = 20
shared_processors: list[structlog.types.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # Without local variables: they hold what people typed.
                structlog.processors.ExceptionRenderer(
                    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
                ),
                structlog.processors.JSONRenderer(),
            ],
            "foreign_pre_chain": shared_processors,
        },
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {"django": {"handlers": [], "level": LOG_LEVEL, "propagate": True}},
}
structlog.configure(
    processors=[*shared_processors, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
