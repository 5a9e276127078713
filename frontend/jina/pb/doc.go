// Package pb is the protocol of Jina and DocArray as CLIP-as-service speaks it, generated from jina.binpb.
package pb

//go:generate ./generate.sh
