"""Servers as configuration files of clients, server.json, and custom resources of operators."""
