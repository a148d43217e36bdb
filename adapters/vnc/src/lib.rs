//! RFB over sockets: viewer leg, target leg, relay filter, desktop server.
