#!/usr/bin/env python3
"""One process of load: asynchronous clients that encode again and again until a call fails.

    load.py grpc://127.0.0.1:PORT CLIENTS PICTURE ...

Prints one JSON object a line for each call: {"begun", "ended" (seconds, time.time()), "answered" (documents
answered), "first" (time of the first answer or null), "error" (text or null)}. Ends when every client has
seen an error, or when standard input is closed.
"""
import asyncio
import json
import sys
import threading
import time

from client import Client, Document

DOCUMENTS, BATCH = 24, 4


def documents(pictures, turn):
    """half texts, half pictures"""
    made = []
    for i in range(DOCUMENTS):
        if i % 2:
            made.append(Document(id=str(i), blob=pictures[(turn + i) % len(pictures)]))
        else:
            made.append(Document(id=str(i), text=f'a red circle, number {turn} of {i}'))
    return made


async def client(url, pictures, stop):
    turn = 0
    connection = Client(url)
    while not stop.is_set():
        turn += 1
        call = {'begun': time.time(), 'answered': 0, 'first': None, 'error': None}

        def done(response):
            call['first'] = call['first'] or time.time()
            call['answered'] += sum(d.embedding is not None for d in response.docs)

        def failed(response):
            call['error'] = f'status {response.header.status.description}'

        try:
            await connection.aencode(documents(pictures, turn), batch_size=BATCH, on_done=done, on_error=failed)
            if call['answered'] != DOCUMENTS and not call['error']:
                call['error'] = f'only {call["answered"]} of {DOCUMENTS} documents answered'
        except BaseException as error:
            call['error'] = f'{type(error).__name__}: {error}'
        call['ended'] = time.time()
        print(json.dumps(call), flush=True)
        if call['error']:
            return


async def main():
    url, clients, *paths = sys.argv[1:]
    pictures = [open(p, 'rb').read() for p in paths]
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    await asyncio.gather(*(client(url, pictures, stop) for _ in range(int(clients))))


if __name__ == '__main__':
    asyncio.run(main())
