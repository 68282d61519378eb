package handler

import (
	"context"
	"net/http"

	"github.com/heraldconf/herald/services/controller/domain"
)

type actorKey struct{}

// actorOf is who asks: the holder of the token that the request brings, or
// anonymous where the controller has no tokens.
func actorOf(r *http.Request) domain.Actor {
	if actor, ok := r.Context().Value(actorKey{}).(domain.Actor); ok {
		return actor
	}
	return domain.Anonymous
}

func withActor(r *http.Request, actor domain.Actor) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), actorKey{}, actor))
}
