"""Pages of the playground and its history."""

from django.urls import URLPattern, URLResolver, path

from conversations.views import batches, pages, runs, threads

app_name = "conversations"
urlpatterns: list[URLPattern | URLResolver] = [
    path("playground/", pages.playground, name="playground"),
    path("playground/history/", pages.past, name="history"),
    path("playground/budget/", pages.budget, name="budget"),
    path("playground/runs/", runs.run, name="run"),
    path("playground/pictures/<uuid:attachment_id>/", runs.attachment, name="attachment"),
    path("playground/messages/<uuid:message_id>/", pages.message, name="message"),
    path("playground/<uuid:conversation_id>/", pages.playground, name="thread"),
    path("playground/<uuid:conversation_id>/earlier/", pages.earlier, name="earlier"),
    path("playground/<uuid:conversation_id>/runs/", runs.run, name="run_in"),
    path("playground/<uuid:conversation_id>/retry/<uuid:message_id>/", runs.retry, name="retry"),
    path("playground/<uuid:conversation_id>/rename/", threads.rename, name="rename"),
    path("playground/<uuid:conversation_id>/delete/", threads.delete, name="delete"),
    path("playground/<uuid:conversation_id>/restore/", threads.restore, name="restore"),
    path("playground/batches/", batches.batches_page, name="batches"),
    path("playground/batches/new/", batches.new, name="batch_new"),
    path("playground/batches/<uuid:batch_id>/", batches.batch, name="batch"),
    path("playground/batches/<uuid:batch_id>/progress/", batches.progress, name="batch_progress"),
    path("playground/batches/<uuid:batch_id>/start/", batches.start, name="batch_start"),
    path("playground/batches/<uuid:batch_id>/cancel/", batches.cancel, name="batch_cancel"),
    path("playground/batches/<uuid:batch_id>/retry/", batches.retry, name="batch_retry"),
    path("playground/batches/<uuid:batch_id>/delete/", batches.delete, name="batch_delete"),
    path("playground/batches/<uuid:batch_id>/results.csv", batches.as_csv, name="batch_csv"),
    path("playground/batches/<uuid:batch_id>/results.jsonl", batches.as_jsonl, name="batch_jsonl"),
    path("runs/<uuid:run_id>/events", runs.events, name="events"),
    path("runs/<uuid:run_id>/stop", runs.stop, name="stop"),
]
