"""The Celery app, its one configuration, queue names and wake-ups."""
