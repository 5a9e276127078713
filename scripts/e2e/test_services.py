"""The services beside encode and rank, as the original's captures have them, and what a port of one protocol answers to others."""
import grpc
from google.protobuf import empty_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from jina.proto import jina_pb2

from server import health, serving
from test_doors import ask
from wire import call, channel, request

JINA = ('JinaDataRequestRPC', 'JinaDiscoverEndpointsRPC', 'JinaGatewayDryRunRPC', 'JinaInfoRPC', 'JinaRPC', 'JinaSingleDataRequestRPC',
        'JinaSingleDocumentRequestRPC')


def unary(opened, method, sent=b'', answer=None):
    read = answer.FromString if answer else None
    return opened.unary_unary(method, request_serializer=lambda r: r if isinstance(r, bytes) else r.SerializeToString(), response_deserializer=read)(sent, timeout=60)


def test_grpc_services():
    with serving() as server, channel(server) as opened:
        assert [health(server.port, name) for name in ('', 'jina.JinaRPC', 'nope')] == ['SERVING', 'SERVING', 'NOT_FOUND']
        for service in JINA:
            assert health(server.port, f'jina.{service}') == 'SERVING', service
        assert unary(opened, '/jina.JinaGatewayDryRunRPC/dry_run', empty_pb2.Empty(), jina_pb2.StatusProto) == jina_pb2.StatusProto()
        info = unary(opened, '/jina.JinaInfoRPC/_status', empty_pb2.Empty(), jina_pb2.JinaInfoProto)
        assert info.jina['clipd'], info
        endpoints = unary(opened, '/jina.JinaDiscoverEndpointsRPC/endpoint_discovery', empty_pb2.Empty(), jina_pb2.EndpointsProto)
        assert sorted(endpoints.endpoints) == ['/default', '/rank'], endpoints
        ask_reflection = reflection_pb2_grpc.ServerReflectionStub(opened).ServerReflectionInfo
        listed, symbol = ask_reflection(iter([reflection_pb2.ServerReflectionRequest(list_services=''),
                                              reflection_pb2.ServerReflectionRequest(file_containing_symbol='jina.JinaRPC')]), timeout=60)
        names = {s.name for s in listed.list_services_response.service}
        assert {f'jina.{s}' for s in JINA} | {'grpc.reflection.v1alpha.ServerReflection', 'grpc.reflection.v1.ServerReflection'} <= names, names
        assert symbol.file_descriptor_response.file_descriptor_proto, symbol
        assert not list(call(opened, iter([]), 60)), 'an answer to no request'
        single = unary(opened, '/jina.JinaSingleDataRequestRPC/process_single_data', request(), jina_pb2.DataRequestProto)
        assert single.header.request_id == 'some-request' and not single.header.status.code
        for method in ('/jina.Nope/nope', '/jina.JinaDataRequestRPC/process_data'):
            try:
                unary(opened, method)
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error
            else:
                raise AssertionError(f'{method} answered')


def test_http_beside_websocket_alone():
    """health, status and the API page are there, requests are not"""
    with serving({'protocol': ['grpc', 'websocket']}) as server:
        base = server.at('http')
        for path in ('/', '/status', '/dry_run', '/openapi.json'):
            assert ask(base + path)[0] == 200, path
        for path in ('/post', '/encode', '/rank', '/index'):
            status, _, answer = ask(base + path, {'data': []})
            assert (status, answer) == (404, {'detail': 'Not Found'}), f'{path}: {status} {answer}'


def test_switches_of_paths():
    switches = {'protocol': ['grpc', 'http'], 'no_debug_endpoints': True, 'no_crud_endpoints': True, 'title': 'The shop', 'description': 'What we sell',
                'expose_endpoints': {'/find': {'http_path': '/v1/find', 'methods': ['POST', 'PUT'], 'summary': 'Find things', 'tags': ['shop']}}}
    with serving(switches) as server:
        base, text = server.at('http'), {'data': [{'text': 'a red circle'}]}
        for path in ('/post', '/index', '/search'):
            assert ask(base + path, text)[0] == 404, path
        assert ask(base + '/status')[0] == 404 and ask(base + '/dry_run')[0] == 404 and ask(base + '/')[0] == 200
        for path, method in (('/encode', 'POST'), ('/v1/find', 'POST'), ('/v1/find', 'PUT')):
            status, _, answer = ask(base + path, text, method=method)
            assert status == 200 and len(answer['data'][0]['embedding']) == 128, f'{method} {path}: {status} {answer}'
        document = ask(base + '/openapi.json')[2]
        assert document['openapi'].startswith('3.1') and document['info']['title'] == 'The shop' and document['info']['description'] == 'What we sell'
        assert document['paths']['/v1/find']['put']['summary'] == 'Find things' and not {'/post', '/index', '/status'} & set(document['paths'])
