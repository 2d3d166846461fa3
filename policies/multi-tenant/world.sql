-- One database for all customers of a service: every table says whose a row is.
CREATE SCHEMA app;
CREATE SCHEMA ops;

CREATE TABLE app.tenants (id integer PRIMARY KEY, name text NOT NULL, plan text NOT NULL);
INSERT INTO app.tenants VALUES (1, 'acme', 'gold'), (2, 'globex', 'free'), (3, 'initech', 'gold');

CREATE TABLE app.projects (id integer PRIMARY KEY, tenant text NOT NULL, name text NOT NULL, archived boolean NOT NULL DEFAULT false);
INSERT INTO app.projects VALUES
    (1, 'acme', 'Rocket', false), (2, 'acme', 'Anvil', true), (3, 'globex', 'Weather', false), (4, 'initech', 'Reports', false);

CREATE TABLE app.tasks (
    id integer PRIMARY KEY, tenant text NOT NULL, project_id integer NOT NULL REFERENCES app.projects,
    title text NOT NULL, done boolean NOT NULL DEFAULT false, internal_note text);
INSERT INTO app.tasks VALUES
    (1, 'acme', 1, 'Build engine', false, 'over budget'), (2, 'acme', 2, 'Forge', true, NULL),
    (3, 'globex', 3, 'Make rain', false, 'risky'), (4, 'initech', 4, 'Cover sheets', false, NULL);

-- Which consultants work for which tenants.
CREATE TABLE ops.engagements (consultant text NOT NULL, tenant text NOT NULL, PRIMARY KEY (consultant, tenant));
INSERT INTO ops.engagements VALUES ('conrad', 'acme'), ('conrad', 'globex');
