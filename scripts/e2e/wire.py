"""Hand-made messages, for what the client would never send."""
import grpc
from jina.proto import jina_pb2

CALL = '/jina.JinaRPC/Call'


def channel(server):
    return grpc.insecure_channel(f'127.0.0.1:{server.port}')


def request():
    """an encode request without documents"""
    made = jina_pb2.DataRequestProto()
    made.header.request_id = 'some-request'
    made.header.exec_endpoint = '/encode'
    return made


def call(opened, requests, timeout=None):
    """answers as they come; `requests` may be messages or bytes"""
    method = opened.stream_stream(CALL, request_serializer=lambda r: r if isinstance(r, bytes) else r.SerializeToString(),
                                  response_deserializer=jina_pb2.DataRequestProto.FromString)
    return method(requests, timeout=timeout)


def exchange(server, requests, timeout=60):
    """all answers to the requests of one stream"""
    with channel(server) as opened:
        return list(call(opened, iter(requests), timeout))
