"""arqlite: arq's API, Oban's guarantees, at Redis speed, with an SQL row for every job."""
