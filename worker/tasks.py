"""The one Celery task: it reads a hint and hands it to the bundles."""

from typing import Any

import redis
import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from pydantic import ValidationError

from broker.app import RUN_TASK, class_queue, encode_hint
from gridloom.wire import Hint
from worker.bundle import Bundles

log = structlog.get_logger()


def install_task(app: Celery, bundles: Bundles) -> None:
    """Let the app run hints."""

    def run(task: Any, hint: dict[str, Any]) -> None:
        try:
            parsed = Hint.model_validate(hint)
        except ValidationError as error:
            log.warning("hint_not_understood", error=str(error))
            return
        if not bundles.run(parsed):
            _pass_on(app, parsed, task.request.delivery_info.get("routing_key", ""))

    app.task(run, name=RUN_TASK, bind=True)


def _pass_on(app: Celery, hint: Hint, queue: str) -> None:
    """Send a hint again that this worker can't take now, so that another may."""
    try:
        app.send_task(RUN_TASK, kwargs=encode_hint(hint), queue=class_queue(queue), retry=False)
    except (redis.RedisError, OperationalError) as error:
        # A lost hint is sent again by the scheduler in a while.
        log.info("hint_lost", job=hint.job_id, error=str(error))
