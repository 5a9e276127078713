// Package jina speaks the protocol of CLIP-as-service: documents in, documents with embeddings or scores out, in
// Jina's DataRequestProto. What is common to its transports lies in Executor; Service is the gRPC one.
package jina
