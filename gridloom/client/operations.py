"""The methods of both clients, each made of one conversation in `gridloom.client.calls`."""

from gridloom.client.answers.jobs import Event, LogLine
from gridloom.client.calls import account, admin, components, fan_out, paths, wallet
from gridloom.client.calls import events as event_calls
from gridloom.client.calls import jobs as job_calls
from gridloom.client.calls import logs as log_calls
from gridloom.client.operation import Feed, Operation


class Operations:
    """Every operation of the four APIs.

    All raise ClientError when the fabric refuses the call and Unreachable when it gives no answer.
    """

    # Anything

    call = Operation(paths.call)
    info = Operation(paths.info)

    # Accounts

    access_token = Operation(account.access_token)
    sign_up = Operation(account.sign_up)
    send_code = Operation(account.send_code)
    sign_in = Operation(account.sign_in)
    sign_out = Operation(account.sign_out)
    skip = Operation(account.skip)
    exchange_code = Operation(account.exchange_code)
    start_device_sign_in = Operation(account.start_device_sign_in)
    await_device_sign_in = Operation(account.await_device_sign_in)
    api_keys = Operation(account.api_keys)
    create_api_key = Operation(account.create_api_key)
    revoke_api_key = Operation(account.revoke_api_key)
    secrets = Operation(account.secrets)
    save_secret = Operation(account.save_secret)
    delete_secret = Operation(account.delete_secret)
    user = Operation(account.user)
    update_user = Operation(account.update_user)
    set_password = Operation(account.set_password)

    # Apps, engines, templates, caches

    push_component = Operation(components.push_component)
    pull_component = Operation(components.pull_component)
    component = Operation(components.component)
    app = Operation(components.app)
    engine = Operation(components.engine)
    apps = Operation(components.apps)
    engines = Operation(components.engines)
    activate = Operation(components.activate)
    deactivate = Operation(components.deactivate)
    component_status = Operation(components.component_status)
    delete_component = Operation(components.delete_component)
    publish = Operation(components.publish)
    unpublish = Operation(components.unpublish)
    import_component = Operation(components.import_component)
    push_template = Operation(components.push_template)
    template = Operation(components.template)
    templates = Operation(components.templates)
    import_template = Operation(components.import_template)
    delete_template = Operation(components.delete_template)
    cache = Operation(components.cache)
    upload_to_cache = Operation(components.upload_to_cache)
    delete_from_cache = Operation(components.delete_from_cache)

    # Jobs

    create_job = Operation(job_calls.create_job)
    job = Operation(job_calls.job)
    jobs = Operation(job_calls.jobs)
    filter_jobs = Operation(job_calls.filter_jobs)
    job_templates = Operation(job_calls.job_templates)
    change_job = Operation(job_calls.change_job)
    run_job = Operation(job_calls.run_job)
    abort_job = Operation(job_calls.abort_job)
    delete_job = Operation(job_calls.delete_job)
    redeliver_job = Operation(job_calls.redeliver_job)
    duplicate_job = Operation(job_calls.duplicate_job)
    tasks = Operation(job_calls.tasks)
    task = Operation(job_calls.task)
    running_tasks = Operation(job_calls.running_tasks)
    estimation = Operation(job_calls.estimation)
    stats = Operation(job_calls.stats)
    test_data_source = Operation(job_calls.try_data_source)
    test_data_destination = Operation(job_calls.try_data_destination)
    contact = Operation(job_calls.contact)
    upload_source = Operation(job_calls.upload_source)
    wait = Operation(job_calls.wait)
    results = Operation(job_calls.results)
    download_result = Operation(job_calls.download_result)
    collect = Operation(job_calls.collect)
    map = Operation(fan_out.map_inputs)

    # Logs and events

    logs = Operation(log_calls.logs)
    download_logs = Operation(log_calls.download_logs)
    log_lines = Feed(log_calls.log_lines, LogLine)
    events = Feed(event_calls.events, Event)

    # Wallet

    balance = Operation(wallet.balance)
    transactions = Operation(wallet.transactions)
    filter_transactions = Operation(wallet.filter_transactions)
    transactions_csv = Operation(wallet.transactions_csv)
    exchange_rate = Operation(wallet.exchange_rate)
    redeem = Operation(wallet.redeem)
    rates = Operation(wallet.rates)
    usage = Operation(wallet.usage)
    top_up = Operation(wallet.top_up)
    customer_portal = Operation(wallet.customer_portal)

    # Administration

    users = Operation(admin.users)
    user_by_id = Operation(admin.user_by_id)
    create_user = Operation(admin.create_user)
    change_user = Operation(admin.change_user)
    issue_key = Operation(admin.issue_key)
    coupons = Operation(admin.coupons)
    create_coupon = Operation(admin.create_coupon)
    grant = Operation(admin.grant)
    rotate_key = Operation(admin.rotate_key)
    audit = Operation(admin.audit)
