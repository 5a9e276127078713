// Package auth knows who may call: keys with names, limits and models, from a keys file or an environment variable.
//
// A keys file has one line for each key, which `clipd key new` makes:
//
//	NAME sha256:HEX [rate=100/s] [documents=1000/s] [concurrent=8] [models=name,name] [priority=high]   # comment
//
// rate counts requests and documents what lies in them, each over a second, a minute or an hour (/s, /m, /h), with a
// burst of what one second brings, at least 1. concurrent is the most requests in progress. Whatever is left out has no
// limit. The priority of requests is normal unless priority= says otherwise: on-request lets them ask for high, high makes
// them so by themselves.
//
// What is stored is the SHA-256 of a key. A slow hash, as passwords need it, would add nothing: a key that clipd makes
// is 256 random bits, so nobody can try them all, and nobody finds one by trying at the door either; hence failed
// attempts are not counted or slowed down. Secrets from elsewhere must be long, see Hash.
package auth
