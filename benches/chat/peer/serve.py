"""uvicorn as one would deploy it for many small messages: uvloop, httptools, no compression of frames, no Nagle."""

import os
import socket

import uvicorn


def serve(app):
    """Serves `app` on the loopback address and `PORT` until SIGTERM."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted sockets have it from the one that listens.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", int(os.environ["PORT"])))
    # A line for each request costs more in Python than what it tells: the peer is let off it.
    config = uvicorn.Config(app, loop="uvloop", http="httptools", ws="websockets-sansio", access_log=False, backlog=4096,
                            ws_per_message_deflate=False, ws_max_size=4096, ws_ping_interval=15, ws_ping_timeout=25,
                            timeout_graceful_shutdown=5)
    uvicorn.Server(config).run(sockets=[listener])
